package media

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials" // AWS keys from environment, file or machine, without the vendor's whole SDK
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google" // Google's default credentials

	"reelpass/internal/reel"
)

// cloud sends requests, signed with this machine's credentials where the scheme has some. A store is asked without where the
// machine has none: an object may be public.
type cloud struct {
	http   *http.Client
	writes bool // and not only reads

	mu     sync.Mutex
	keys   *credentials.Credentials
	tokens oauth2.TokenSource
	json   []byte // of Google's credentials, where they are a file
	found  bool   // whether tokens were looked for
}

// emptySum is the hash of a request without a body.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// get asks for the object of an address. The caller closes the body.
func (c *cloud) get(ctx context.Context, a reel.Address, header http.Header) (*http.Response, error) {
	switch a.Scheme {
	case "s3":
		return c.getS3(ctx, a, header)
	case "gs":
		return c.getGS(ctx, a, header)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return nil, lack{"address", "is not a well-formed address"} // err quotes it
	}
	r.Header = header
	return c.http.Do(r)
}

// getS3 asks in the region of the environment, and once more in the bucket's own where that is another.
func (c *cloud) getS3(ctx context.Context, a reel.Address, header http.Header) (*http.Response, error) {
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	resp, err := c.inRegion(ctx, a, header, region)
	if err != nil || resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified {
		return resp, err
	}
	if own := resp.Header.Get("X-Amz-Bucket-Region"); own != "" && own != region {
		_ = resp.Body.Close() // it only says where to ask
		return c.inRegion(ctx, a, header, own)
	}
	return resp, nil
}

func (c *cloud) inRegion(ctx context.Context, a reel.Address, header http.Header, region string) (*http.Response, error) {
	host, bucket := "https://"+a.Host+".s3."+region+".amazonaws.com/", ""
	if strings.Contains(a.Host, ".") { // no certificate fits
		host, bucket = "https://s3."+region+".amazonaws.com/", a.Host+"/"
	}
	if own := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL")); own != "" {
		host, bucket = strings.TrimRight(own, "/")+"/", a.Host+"/"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, host+bucket+s3utils.EncodePath(a.Object), nil)
	if err != nil {
		return nil, lack{"denied", "AWS_ENDPOINT_URL is not a well-formed address"}
	}
	r.Header = header.Clone()
	r.Header.Set("X-Amz-Content-Sha256", emptySum)
	keys, err := c.awsKeys().GetWithContext(&credentials.CredContext{Client: &http.Client{Timeout: 2 * time.Second}})
	if err != nil {
		return nil, lack{"denied", "no AWS credentials: " + plain(err)}
	}
	if keys.AccessKeyID != "" {
		r = signer.SignV4(*r, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, region)
	}
	return c.http.Do(r)
}

func (c *cloud) awsKeys() *credentials.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
		if os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
			providers = append(providers, &credentials.IAM{})
		}
		c.keys = credentials.NewChainCredentials(providers)
	}
	return c.keys
}

func (c *cloud) getGS(ctx context.Context, a reel.Address, header http.Header) (*http.Response, error) {
	u := url.URL{Scheme: "https", Host: hostGS, Path: "/" + a.Host + "/" + a.Object}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, lack{"address", "is not a well-formed address"}
	}
	r.Header = header.Clone()
	tokens, err := c.googleTokens()
	if err != nil {
		return nil, err
	}
	if tokens != nil {
		token, err := googleToken(tokens)
		if err != nil {
			return nil, err
		}
		token.SetAuthHeader(r)
	}
	return c.http.Do(r)
}

func googleToken(from oauth2.TokenSource) (*oauth2.Token, error) {
	token, err := from.Token()
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return nil, lack{"denied", "no Google credentials: " + cmp.Or(refused.ErrorCode, refused.Response.Status)}
	}
	return token, err
}

// googleTokens looks once for this machine's credentials; nil where it has none.
func (c *cloud) googleTokens() (oauth2.TokenSource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found {
		return c.tokens, nil
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: c.http.Transport, Timeout: 10 * time.Second})
	scope := "read_only"
	if c.writes {
		scope = "read_write"
	}
	found, err := google.FindDefaultCredentials(ctx, "https://www.googleapis.com/auth/devstorage."+scope)
	switch {
	case err == nil:
		c.tokens, c.json = found.TokenSource, found.JSON
	case !strings.Contains(err.Error(), "could not find default credentials"):
		return nil, lack{"denied", "no Google credentials: " + err.Error()}
	}
	c.found = true
	return c.tokens, nil
}
