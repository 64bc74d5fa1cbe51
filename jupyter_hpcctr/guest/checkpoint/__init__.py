"""``%hpcctr``: code that runs before the job's end, and code that runs first in the next job."""
