#!/bin/bash
# Pack what a machine with a GPU, and without any network, needs for gpu.sh: tests/device/pack.sh FOLDER
# Run it as root on Debian 12 where `make setup` has been done. FOLDER then has root.tgz (Slurm, Charliecloud and the
# tools for images, with their libraries) and wheels/ (this package and what it needs). FOR names that machine's Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "$1")
python=${PYTHON:-.venv/bin/python}
version=${FOR:-3.12}
packages=(munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins charliecloud-runtime squashfs-tools skopeo umoci)
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
mkdir -p "$folder/wheels" "$staged/root/opt/lib" "$staged/root/etc/containers"

for package in "${packages[@]}"; do
    dpkg -L "$package"
done | grep -vE '/(doc|man|lintian|locale|bash-completion|systemd|init.d|logrotate.d|default)/' | sort -u |
    while read -r path; do if [ -f "$path" ] || [ -L "$path" ]; then echo "$path"; fi; done |
    sed 's|^/||' | tar -C / -cf - -T - | tar -C "$staged/root" -xf -
{ find "$staged/root" -type f \( -perm -100 -o -name '*.so*' \) -exec ldd {} + 2>/dev/null || true; } | awk '/=> \//{print $3}' | sort -u |
    grep -vE '/(libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|ld-linux.*|libresolv|libslurm.*)\.so' |
    xargs -I{} cp -L {} "$staged/root/opt/lib/"
cp /etc/containers/policy.json "$staged/root/etc/containers/"
tar -C "$staged/root" -czf "$folder/root.tgz" .

rm -f "$folder"/wheels/*
SKIP_JUPYTER_BUILDER=1 "$python" -m build --wheel --no-isolation --skip-dependency-check --outdir "$folder/wheels" . >/dev/null
platforms=()
for tag in manylinux_2_28_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux1_x86_64 any; do
    platforms+=(--platform "$tag")
done
"$python" -m pip download -qq --only-binary=:all: --python-version "$version" --implementation cp "${platforms[@]}" \
    --dest "$folder/wheels" "$folder"/wheels/jupyter_hpcctr-*.whl nbclient
du -sh "$folder"
