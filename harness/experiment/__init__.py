"""All that a person may write in an experiment file, and nothing else.

These types are the reference: the loader checks files against them, the JSON Schema for editors is generated from
them, and the plan repeats them with every default written out.
"""
