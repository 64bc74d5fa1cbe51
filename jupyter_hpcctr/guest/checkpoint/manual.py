"""The words of ``%hpcctr help`` and ``%hpcctr?``."""

from __future__ import annotations

HELP = """Save your work before the job ends and go on with it in the next job; see what devices the kernel has.

    %hpcctr checkpoint [--before TIME] CODE     run CODE before the job's end
    %%hpcctr checkpoint [--before TIME]         the same with the cell's code, which does not run now
    %hpcctr checkpoint                          show what is registered, and when it runs
    %hpcctr checkpoint --clear                  forget it

    %hpcctr restore CODE                        run CODE first in the new job of "Continue in a new job"
    %%hpcctr restore                            the same with the cell's code, which does not run now
    %hpcctr restore                             show what is registered
    %hpcctr restore --clear                     forget it

    %hpcctr devices                             show which devices the kernel has, and with which driver

    %hpcctr help                                show this

TIME is how long before the end: minutes, or a number with a unit as in 90s, 10m, 1h. Without it the site decides,
mostly 5 minutes. CODE is Python that sees the notebook's variables; magics may be used, "await" may not.

The checkpoint runs once, in the kernel, also while a cell runs: between two instructions of that cell, which goes on
afterwards. It also runs when the scheduler says that the job is to end. The kernel forgets it when it is restarted.

Examples:

    %hpcctr checkpoint numpy.save("u.npy", u)
    %hpcctr restore u = numpy.load("u.npy")

    %%hpcctr checkpoint --before 10
    save(model, step)
    print("saved at step", step)

The same for a function, in Python:

    from jupyter_hpcctr import checkpoint

    @checkpoint(before=10)
    def save():
        ...
"""
