package media

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"
	"golang.org/x/oauth2/google"

	"reelpass/internal/reel"
)

const hostGS = "storage.googleapis.com"

// shelfGS needs the key of a service account: a token alone signs no address.
func shelfGS(c *cloud, place reel.Address, clock func() time.Time) (shelf, error) {
	tokens, err := c.googleTokens()
	if err != nil {
		return shelf{}, err
	}
	email, key, err := c.googleKey()
	if err != nil || tokens == nil {
		return shelf{}, errors.New("the bucket cannot be written: GOOGLE_APPLICATION_CREDENTIALS must name the key of a service account")
	}
	object := "/" + s3utils.EncodePath(place.Host+"/"+place.Object)
	return shelf{
		address: "https://" + hostGS + object,
		sign: func(r *http.Request) (*http.Request, error) {
			token, err := googleToken(tokens)
			if err == nil {
				token.SetAuthHeader(r)
			}
			return r, err
		},
		presign: func() (string, error) {
			query, text := toSign(email, object, offered, clock())
			sum := sha256.Sum256([]byte(text))
			signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
			if err != nil {
				return "", errors.New("the service account's key signs nothing")
			}
			return "https://" + hostGS + object + "?" + query + "&X-Goog-Signature=" + hex.EncodeToString(signature), nil
		},
	}, nil
}

// toSign is the query of a signed address without its signature, and the text that is to be signed (Google Cloud Storage, V4 signatures).
func toSign(email, object string, lives time.Duration, now time.Time) (query, text string) {
	stamp, day := now.UTC().Format("20060102T150405Z"), now.UTC().Format("20060102")
	scope := day + "/auto/storage/goog4_request"
	query = url.Values{
		"X-Goog-Algorithm": {"GOOG4-RSA-SHA256"}, "X-Goog-Credential": {email + "/" + scope}, "X-Goog-Date": {stamp},
		"X-Goog-Expires": {strconv.Itoa(int(lives.Seconds()))}, "X-Goog-SignedHeaders": {"host"},
	}.Encode()
	sum := sha256.Sum256([]byte("GET\n" + object + "\n" + query + "\nhost:" + hostGS + "\n\nhost\nUNSIGNED-PAYLOAD"))
	return query, "GOOG4-RSA-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
}

// googleKey is the service account's name and key, where this machine's credentials are such.
func (c *cloud) googleKey() (email string, key *rsa.PrivateKey, err error) {
	cfg, err := google.JWTConfigFromJSON(c.json)
	if err != nil {
		return "", nil, err
	}
	block, _ := pem.Decode(cfg.PrivateKey)
	if block == nil {
		return "", nil, errors.New("no PEM")
	}
	if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return cfg.Email, key, nil
	}
	any8, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", nil, err
	}
	key, ok := any8.(*rsa.PrivateKey)
	if !ok {
		return "", nil, errors.New("no RSA key")
	}
	return cfg.Email, key, nil
}
