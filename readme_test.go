package reelpass_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"reelpass/internal/config"
)

// The README's table of settings is made from config.Keys, so that it names every setting; go test . -update rewrites it.
func TestReadmeNamesEverySetting(t *testing.T) {
	const begin, end = "<!-- settings -->\n", "<!-- /settings -->\n"
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md has no table between %q and %q", begin, end)
	}
	want := settingsTable()
	if have == want {
		return
	}
	if !*update {
		t.Fatal("the README's table of settings differs from config.Keys; go test . -update rewrites it")
	}
	if err := os.WriteFile("README.md", []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func settingsTable() string {
	flags := map[string]string{
		"retry_unknown": "--no-retry-unknown", "account_hold": "--no-account-hold", "log_dir": "", "allow_repost": "--allow-repost",
	}
	var b strings.Builder
	b.WriteString("| reelpass.yaml | flag | environment | default | |\n|---|---|---|---|---|\n")
	for _, k := range config.Keys() {
		flag, special := flags[k.Name]
		if !special && !strings.Contains(k.Name, ".") {
			flag = "--" + strings.ReplaceAll(k.Name, "_", "-")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(k.Name), code(flag), code(k.Env), code(k.Default), k.Help)
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
