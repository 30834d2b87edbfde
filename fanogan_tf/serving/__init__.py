"""What leaves the project: exported models, archives scored with them."""
