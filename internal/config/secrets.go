package config

// Secrets is a list of texts that nobody is shown. It prints as a mask.
type Secrets []string

// String is the mask, empty where there is nothing to hide.
func (s Secrets) String() string {
	if len(s) == 0 {
		return ""
	}
	return "***"
}

// GoString is String.
func (s Secrets) GoString() string { return s.String() }

func isSecret(at any) bool {
	_, ok := at.(*Secrets)
	return ok
}

// Secrets lists the values of every setting that is secret, wherever they were set.
func (s Settings) Secrets() []string {
	var values []string
	for _, e := range entries(&s) {
		if list, ok := e.at.(*Secrets); ok {
			values = append(values, *list...)
		}
	}
	return values
}
