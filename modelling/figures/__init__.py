"""Pictures of a training, for people: a finding as title, one look, no single customer."""
