"""What people are offered, as values: the form for a job's resources, the gallery of images, as they are written."""
