package posts

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"reelpass/internal/reel"
)

// How much of account and video name an id shows, in bytes. Long enough to be recognised, short enough for a table.
const (
	idAccount = 32
	idStem    = 48
)

// DeriveID names a job whose file gives it no name: account, stem of the video's file and the first 8 hex digits of
// SHA-256 over account, NUL and video path, such as acc1-clip01-3fa2b19c. It depends on nothing else, so that adding the
// same file again finds the same jobs. Account and path are taken as they are: trim them first. Two jobs of one account
// whose videos have the same stem get the same id with probability 2^-32, so whoever finds an id already there must
// compare account and path before it calls the job known.
func DeriveID(account, videoPath string) reel.JobID {
	var room [512]byte
	key := append(append(append(room[:0], account...), 0), videoPath...)
	sum := sha256.Sum256(key)

	var id [idAccount + idStem + 2 + 8]byte
	b := appendWord(id[:0], account, idAccount)
	b = appendWord(b, stem(videoPath), idStem)
	b = hex.AppendEncode(b, sum[:4])
	return reel.JobID(b)
}

// stem is a path's last part without its extension. Both slashes part, for files that come from Windows. An address's query
// may hold a secret, and is left out.
func stem(path string) string {
	if reel.IsAddress(path) {
		path, _, _ = strings.Cut(path, "?")
		path, _, _ = strings.Cut(path, "#")
	}
	path = path[strings.LastIndexAny(path, `/\`)+1:]
	if dot := strings.LastIndexByte(path, '.'); dot > 0 {
		path = path[:dot]
	}
	return path
}

// appendWord appends the letters and digits of s, of any script, with one hyphen for each run of anything else, and a
// hyphen after it; nothing at all where s has none.
func appendWord(b []byte, s string, limit int) []byte {
	from, gap := len(b), false
	for _, r := range s {
		if !inID(r) {
			gap = true
			continue
		}
		size := utf8.RuneLen(r)
		if gap && len(b) > from {
			size++
		}
		if len(b)-from+size > limit {
			break
		}
		if gap && len(b) > from {
			b = append(b, '-')
		}
		gap = false
		b = utf8.AppendRune(b, r)
	}
	if len(b) > from {
		b = append(b, '-')
	}
	return b
}

func inID(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '.'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}
