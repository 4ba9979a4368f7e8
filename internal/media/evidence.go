package media

import (
	"context"
	"errors"
	"net/url"
	"os"
	"syscall"

	"reelpass/internal/reel"
)

// lack is why there is no copy of a video. Its code is a status of HTTP, or one of
//
//	address   the address is none
//	mismatch  the bytes are not those that the user named
//	page      a web page came, or a redirection that leads nowhere
//	empty     nothing came
//	denied    the store does not take this machine's credentials
//	damaged   the bytes do not fit the checksum that the store gives with them
//	stalled   nothing came for a while
//	network   no connection, or it broke
//	storage   the folder cannot hold it
type lack struct{ code, text string }

func (l lack) Error() string { return l.text }

var errEmpty = lack{"empty", "it is empty"}

// passing are the statuses of HTTP whose trouble is the server's, and not the video's.
func passing(code string) bool {
	return code == "408" || code == "425" || code == "429" || len(code) == 3 && code[0] == '5'
}

// evidence tells of a failed fetch. The code of what is known is fetch:… for the rules; a passing status is a code of HTTP
// like any other.
func evidence(ctx context.Context, address string, err error) *reel.Evidence {
	if ctx.Err() != nil {
		return &reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeInterrupted, Text: "interrupted while the video was fetched", Step: step}
	}
	why := lack{"network", plain(err)}
	errors.As(err, &why)
	e := reel.Evidence{Source: reel.SourceHTTP, Code: "fetch:" + why.code, Step: step}
	if passing(why.code) {
		e.Code = why.code
	}
	e.Text = reel.Scrub("fetch " + reel.ShownVideo(address) + ": " + why.text)
	return &e
}

const step = "fetch"

// plain is an error of net/http without the address, whose query may be a secret.
func plain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err.Error()
	}
	return err.Error()
}

// diskLack tells of the folder's trouble without its paths' noise.
func diskLack(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return lack{"storage", "the disk of the media cache is full"}
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return lack{"storage", "the media cache: " + p.Error()}
	}
	return lack{"storage", "the media cache: " + err.Error()}
}
