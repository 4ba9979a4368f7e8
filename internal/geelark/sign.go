package geelark

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// sign adds the credential: a token as it is, or the digest of a key.
func (c *Client) sign(req *http.Request) {
	trace := traceID()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("traceId", trace)
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
		return
	}
	ts := strconv.FormatInt(c.cfg.Clock().UnixMilli(), 10)
	nonce := trace[:6]
	req.Header.Set("appId", c.cfg.AppID)
	req.Header.Set("ts", ts)
	req.Header.Set("nonce", nonce)
	req.Header.Set("sign", digest(c.cfg.AppID, trace, ts, nonce, c.cfg.APIKey))
}

// digest is SHA-256 over app id, trace id, milliseconds, nonce and key without anything between them, in upper-case hex.
func digest(appID, trace, ts, nonce, key string) string {
	sum := sha256.Sum256([]byte(appID + trace + ts + nonce + key))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
