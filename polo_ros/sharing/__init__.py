"""Value functions from one person to another: model cards, and the Hugging Face Hub."""
