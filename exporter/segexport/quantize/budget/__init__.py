"""The accuracy budget: the most int8 file whose mask stays as near as the user asked."""
