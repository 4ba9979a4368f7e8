package cli

import (
	"slices"
	"strings"

	"reelpass/internal/config"
)

// secretsOf are the values of the settings that are secret, and of environment variables whose names say so. They are masked wherever a
// publisher's words are kept, beside what looks like a secret by itself.
func secretsOf(environ []string, s config.Settings) []string {
	values := slices.DeleteFunc(s.Secrets(), func(v string) bool { return len(v) < minSecret })
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		list := secretSetting(name)
		if !list && !secret(name) {
			continue
		}
		parts := append([]string{value}, strings.Split(value, "\n")...) // programs print line by line
		if list {
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

// secretSetting says that a variable sets something that is secret.
func secretSetting(name string) bool {
	return slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return k.Secret && k.Env == name })
}

// secret says that a variable's name tells of a secret.
func secret(name string) bool {
	holds := func(word string) bool { return strings.Contains(name, word) }
	ends := func(word string) bool { return strings.HasSuffix(name, word) }
	return slices.ContainsFunc([]string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "CREDENTIAL", "COOKIE"}, holds) ||
		slices.ContainsFunc([]string{"_PASS", "_PW", "_PWD", "_KEY", "_AUTH", "_PROXY"}, ends) && name != "OLD_PWD"
}
