"""The finder of lungs: trained on films and masks, and used by itself."""
