#!/bin/bash
# A real GPU through the whole chain: tests/device/gpu.sh FOLDER, as root, on a machine with an NVIDIA driver.
# FOLDER is what pack.sh made. No network is needed; nothing of the driver is in the image. It prints figures, and ends
# with status 0 if every kernel did what it should. TORCH is a virtual environment with PyTorch of that machine's Python.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath "$1")
torch=${TORCH:-/opt/torch/.venv}
user=gpuuser
work=$(mktemp -d /tmp/hpcctr-gpu-XXXXXX)
chmod 755 "$work"
say() { echo "== ${SECONDS} s: $*"; }

tar -C / --keep-directory-symlink --skip-old-files -xzf "$folder/root.tgz"
for program in slurmctld slurmd slurmstepd; do ln -sf "$program-wlm" "/usr/sbin/$program"; done
echo /opt/lib > /etc/ld.so.conf.d/zz-hpcctr.conf
ldconfig 2>/dev/null
chmod 666 /dev/fuse
id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
python3 -m venv --without-pip /opt/hpcctr
site=$(echo /opt/hpcctr/lib/python3*/site-packages)
"$torch/bin/python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$folder"/wheels/*.whl
chmod -R a+rX /opt/hpcctr
say "Slurm, Charliecloud and this package are installed"

# The image: this machine's own system without its driver, and a kernel.
root=$work/root
mkdir -p "$root"
without=(usr/local/nvidia 'usr/local/cuda*' 'libnvidia*' 'libcuda*' usr/src usr/include usr/share usr/libexec usr/sbin
    usr/lib/modules usr/lib/firmware 'usr/lib/llvm*' 'usr/lib/gcc*' 'usr/lib/x86_64-linux-gnu/slurm-wlm'
    'usr/lib/x86_64-linux-gnu/nsight*' 'usr/lib/x86_64-linux-gnu/libLLVM*' 'usr/lib/x86_64-linux-gnu/*.a'
    usr/bin/skopeo usr/bin/umoci usr/bin/nvidia-smi)
tar -C / "${without[@]/#/--exclude=}" -cf - usr bin lib lib64 etc 2>/dev/null | tar -C "$root" -xf - || true
rm -f "$root"/etc/ld.so.cache "$root"/etc/ld.so.conf.d/*nvidia* "$root"/etc/ld.so.conf.d/*cuda*
packages=$root/usr/local/lib/$(basename "$(dirname "$site")")/dist-packages
mkdir -p "$packages" "$root"/{opt,mnt,srv,dev,proc,sys,tmp,run,var/tmp,home,root}
cp -a "$site"/. "$packages/"
rm -rf "$packages"/jupyter_hpcctr*
ldconfig -r "$root" 2>/dev/null || true
tar -C "$root" -cf "$work/layer.tar" .
umoci init --layout "$work/oci"
umoci new --image "$work/oci:gpu"
umoci raw add-layer --image "$work/oci:gpu" "$work/layer.tar"
umoci config --image "$work/oci:gpu" --config.env PATH=/usr/local/bin:/usr/bin:/bin
rm -rf "$root" "$work/layer.tar"
chmod -R a+rX "$work"
say "the image is made; no driver is in it"

cp "$here/gpu.py" "$work/gpu.py"
install -d -o "$user" "$work/run"
setpriv --reuid "$user" --regid "$user" --init-groups env -i HOME="/home/$user" USER="$user" TERM=dumb LANG=C.UTF-8 \
    PATH=/opt/hpcctr/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TORCH="$torch" PYTHONUNBUFFERED=1 \
    /opt/hpcctr/bin/python "$work/gpu.py" "oci:$work/oci:gpu" "$work/run"
say "done"
