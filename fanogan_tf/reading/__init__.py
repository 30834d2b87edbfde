"""The way to the radiologist: what a model says, as DICOM objects in the study of the image that it speaks of."""
