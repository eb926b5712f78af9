"""A trained model as files that transformers and PEFT load without this program."""
