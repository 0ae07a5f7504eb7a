"""Sharing value functions: model cards, and the Hugging Face Hub."""
