package cli

import "strings"

// secretsOf are the values of environment variables whose names say that they are secret. They are masked wherever a
// publisher's words are kept, beside what looks like a secret by itself.
func secretsOf(environ []string) []string {
	var values []string
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		for _, word := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "CREDENTIAL"} {
			if strings.Contains(name, word) && len(value) >= minSecret {
				values = append(values, value)
				break
			}
		}
	}
	return values
}

// minSecret is how long a value must be to be masked: shorter ones would blacken ordinary words.
const minSecret = 6
