package cli

import (
	"slices"
	"strings"
)

// secretsOf are the values of environment variables whose names say that they are secret. They are masked wherever a
// publisher's words are kept, beside what looks like a secret by itself.
func secretsOf(environ []string) []string {
	var values []string
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		if !secret(name) {
			continue
		}
		parts := append([]string{value}, strings.Split(value, "\n")...) // programs print line by line
		if name == alertsEnv {
			parts = append(parts, strings.Split(value, ",")...)
		}
		for _, part := range parts {
			if len(part) >= minSecret {
				values = append(values, part)
			}
		}
	}
	return values
}

// minSecret is how long a value must be to be masked: shorter ones would blacken ordinary words.
const minSecret = 6

// alertsEnv holds addresses that are secrets.
const alertsEnv = "REELPASS_ALERTS_TARGETS"

// secret says that a variable's name tells of a secret.
func secret(name string) bool {
	holds := func(word string) bool { return strings.Contains(name, word) }
	ends := func(word string) bool { return strings.HasSuffix(name, word) }
	return name == alertsEnv || slices.ContainsFunc([]string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "CREDENTIAL", "COOKIE"}, holds) ||
		slices.ContainsFunc([]string{"_PASS", "_PW", "_PWD", "_KEY", "_AUTH", "_PROXY"}, ends) && name != "OLD_PWD"
}
