package notify

// Blank is what the target would show of a carrier's error.
func Blank(t *Target, err error) string { return t.blank(err) }
