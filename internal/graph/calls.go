package graph

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Container is a video on its way to be published. It lives for 24 hours and is published once.
type Container struct {
	ID  string
	URI string // where a resumable upload goes; empty where a URL was given
}

// containerLife is how long a container may wait to be published (Meta, ig-user/media); a little less is used.
const containerLife = 23 * time.Hour

// Create makes a container: for an upload where videoURL is empty, else for a video that Meta fetches from there.
func (c *Client) Create(ctx context.Context, a Account, caption, videoURL string) (Container, error) {
	p := url.Values{"media_type": {"REELS"}, "caption": {caption}, "share_to_feed": {"true"}}
	if videoURL == "" {
		p.Set("upload_type", "resumable")
	} else {
		p.Set("video_url", videoURL)
	}
	var out struct{ ID, URI string }
	if err := c.call(ctx, a, "create container", http.MethodPost, "/"+a.ID+"/media", p, &out); err != nil {
		return Container{}, err
	}
	if out.ID == "" {
		return Container{}, &Failure{Call: "create container", Status: 200, Err: errors.New("the answer names no container")}
	}
	if videoURL == "" && out.URI == "" {
		out.URI = "https://rupload.facebook.com/ig-api-upload/" + c.version() + "/" + out.ID
	}
	return Container(out), nil
}

// WantsURL says that an account takes no uploads: Meta's own pages and what people saw differ on whether it does.
func WantsURL(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Code == 100 && strings.Contains(f.Message, "video_url")
}

// Upload sends the rest of a file from an offset on. The time is the whole upload's.
func (c *Client) Upload(ctx context.Context, a Account, to Container, file io.Reader, offset, size int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URI, file)
	if err != nil || CheckBase(to.URI) != nil {
		return &Failure{Call: "upload", Err: errors.New("the address that was given for the upload cannot be called"), Unsent: true}
	}
	r.ContentLength = size - offset
	r.Header.Set("Authorization", "OAuth "+a.Token)
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("offset", strconv.FormatInt(offset, 10))
	r.Header.Set("file_size", strconv.FormatInt(size, 10))
	var out struct{ Success bool }
	if err := c.send(r, "upload", &out); err != nil {
		return err
	}
	if !out.Success {
		return &Failure{Call: "upload", Status: 200, Err: errors.New("the answer does not say that it succeeded")}
	}
	return nil
}

// The states of a container.
const (
	InProgress = "IN_PROGRESS"
	Finished   = "FINISHED"
	Published  = "PUBLISHED"
	Errored    = "ERROR"
	Expired    = "EXPIRED"
)

// Status is what a container is now.
type Status struct {
	Code     string // one of the states; IN_PROGRESS where the answer names none
	Text     string
	Subcode  int   // that the text names, of an ERROR
	Received int64 // bytes of an upload
}

// subcodes stand in free text: "Error: Media upload has failed with error code 2207026".
var subcodes = regexp.MustCompile(`\b2207\d{3}\b`)

// Status asks for a container's state.
func (c *Client) Status(ctx context.Context, a Account, id string) (Status, error) {
	var out struct {
		Code   string `json:"status_code"`
		Status string
		Video  struct {
			Uploading struct {
				Bytes int64 `json:"bytes_transferred"`
			} `json:"uploading_phase"`
		} `json:"video_status"`
	}
	if err := c.call(ctx, a, "container status", http.MethodGet, "/"+url.PathEscape(id), url.Values{"fields": {"status_code,status,video_status"}}, &out); err != nil {
		return Status{}, err
	}
	s := Status{Code: out.Code, Text: out.Status, Received: out.Video.Uploading.Bytes}
	if s.Code == "" {
		s.Code = InProgress
	}
	if s.Code == Errored {
		s.Subcode, _ = strconv.Atoi(subcodes.FindString(s.Text)) // 0 where none is named
	}
	return s, nil
}

// Publish publishes a container: the step that must not be taken twice.
func (c *Client) Publish(ctx context.Context, a Account, container string) (media string, err error) {
	var out struct{ ID string }
	if err := c.call(ctx, a, "publish", http.MethodPost, "/"+a.ID+"/media_publish", url.Values{"creation_id": {container}}, &out); err != nil {
		return "", err
	}
	if out.ID == "" {
		return "", &Failure{Call: "publish", Status: 200, Err: errors.New("the answer names no medium")}
	}
	return out.ID, nil
}

// Medium is one post of an account.
type Medium struct {
	ID        string
	Caption   string
	Type      string `json:"media_product_type"`
	Permalink string
	Time      stamp `json:"timestamp"`
}

// stamp reads 2026-03-01T12:34:56+0000 and RFC 3339.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(data []byte) (err error) {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if s.Time, err = time.Parse("2006-01-02T15:04:05-0700", text); err != nil {
		s.Time, err = time.Parse(time.RFC3339, text)
	}
	return err
}

// mediaMost is how many posts a look goes through at most.
const mediaMost = 100

// Media lists the posts since a moment, the newest first. whole says that these are all of them.
func (c *Client) Media(ctx context.Context, a Account, since time.Time) (all []Medium, whole bool, err error) {
	after := ""
	for len(all) < mediaMost {
		p := url.Values{"fields": {"id,caption,media_product_type,permalink,timestamp"}, "limit": {"25"}, "since": {strconv.FormatInt(max(since.Unix(), 0), 10)}}
		if after != "" {
			p.Set("after", after)
		}
		var out struct {
			Data   []Medium
			Paging struct {
				Cursors struct{ After string }
				Next    string
			}
		}
		if err := c.call(ctx, a, "list media", http.MethodGet, "/"+a.ID+"/media", p, &out); err != nil {
			return nil, false, err
		}
		all = append(all, out.Data...)
		if after = out.Paging.Cursors.After; after == "" || out.Paging.Next == "" || len(out.Data) == 0 {
			return all, true, nil
		}
	}
	return all, false, nil
}

// Permalink is the public address of a post.
func (c *Client) Permalink(ctx context.Context, a Account, media string) (string, error) {
	var out struct{ Permalink string }
	err := c.call(ctx, a, "permalink", http.MethodGet, "/"+url.PathEscape(media), url.Values{"fields": {"permalink"}}, &out)
	return out.Permalink, err
}

// Quota is how many posts the account has made by the API in 24 hours, and how many it may.
func (c *Client) Quota(ctx context.Context, a Account) (used, total int, err error) {
	var out struct {
		Data []struct {
			Used   int `json:"quota_usage"`
			Config struct {
				Total int `json:"quota_total"`
			}
		}
	}
	if err := c.call(ctx, a, "publishing limit", http.MethodGet, "/"+a.ID+"/content_publishing_limit", url.Values{"fields": {"config,quota_usage"}}, &out); err != nil {
		return 0, 0, err
	}
	if len(out.Data) == 0 {
		return 0, 0, &Failure{Call: "publishing limit", Status: 200, Err: errors.New("the answer names no limit")}
	}
	return out.Data[0].Used, out.Data[0].Config.Total, nil
}

// Me is whose token it is.
func (c *Client) Me(ctx context.Context, a Account) (id, name string, err error) {
	var out struct {
		UserID   string `json:"user_id"`
		ID       string
		Username string
	}
	err = c.call(ctx, a, "who am I", http.MethodGet, "/me", url.Values{"fields": {"user_id,username"}}, &out)
	if out.UserID == "" {
		out.UserID = out.ID
	}
	return out.UserID, out.Username, err
}

// Refresh gives a new token for one of Instagram Login that is a day old and not over, and how long it lives.
func (c *Client) Refresh(ctx context.Context, a Account) (token string, lives time.Duration, err error) {
	return c.token(ctx, a, "refresh token", "/refresh_access_token", url.Values{"grant_type": {"ig_refresh_token"}})
}

// Exchange gives a long-lived token for a short-lived one of Instagram Login, which lives for an hour. It needs the secret of the app for
// which the account consented; Meta takes that in the address alone, so it is in no error and no log, and nowhere else.
func (c *Client) Exchange(ctx context.Context, a Account, secret string) (token string, lives time.Duration, err error) {
	return c.token(ctx, a, "exchange token", "/access_token", url.Values{"grant_type": {"ig_exchange_token"}, "client_secret": {secret}})
}

// token asks for a new token. These calls have no version.
func (c *Client) token(ctx context.Context, a Account, what, path string, params url.Values) (token string, lives time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, callMost)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base(Instagram)+path+"?"+params.Encode(), nil)
	if err != nil {
		return "", 0, &Failure{Call: what, Err: errors.New("the address cannot be called"), Unsent: true}
	}
	r.Header.Set("Authorization", "Bearer "+a.Token)
	var out struct {
		Token string `json:"access_token"`
		Lives int64  `json:"expires_in"`
	}
	if err := c.send(r, what, &out); err != nil {
		return "", 0, err
	}
	if out.Token == "" {
		return "", 0, &Failure{Call: what, Status: 200, Err: errors.New("the answer holds no token")}
	}
	return out.Token, time.Duration(out.Lives) * time.Second, nil
}
