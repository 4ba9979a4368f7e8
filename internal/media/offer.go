package media

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"

	"reelpass/internal/reel"
)

// offered is for how long an address can be fetched from. A container lives as long.
const offered = 24 * time.Hour

// shelf is a place in a bucket: an object's address, and the two ways to sign requests for it.
type shelf struct {
	address string
	sign    func(*http.Request) (*http.Request, error)
	presign func() (string, error) // an address from which anybody can fetch it while it is offered
}

// Offer lays a file into a bucket of S3, or of what speaks like it, or of Google's cloud, and gives an address from which anybody can fetch
// it for a day, whose signature is a secret. The same content is laid there once. No error holds the address.
func Offer(ctx context.Context, client *http.Client, bucket reel.Address, file string, clock func() time.Time) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", err
	}
	place := bucket
	place.Object = path.Join(bucket.Object, hex.EncodeToString(sum.Sum(nil))+".mp4")
	var s shelf
	switch bucket.Scheme {
	case "s3":
		s, err = shelfS3(ctx, &cloud{http: client}, place)
	case "gs":
		s, err = shelfGS(&cloud{http: client, writes: true}, place, clock)
	default:
		err = errors.New("videos can be offered from s3:// and gs:// alone")
	}
	if err != nil {
		return "", err
	}
	if status, err := s.send(ctx, client, http.MethodHead, nil, 0); err != nil || status != http.StatusOK {
		switch status, err := s.send(ctx, client, http.MethodPut, f, size); {
		case err != nil:
			return "", err
		case status != http.StatusOK:
			return "", fmt.Errorf("the bucket does not take the video: HTTP %d %s", status, http.StatusText(status))
		}
	}
	return s.presign()
}

func (s shelf) send(ctx context.Context, client *http.Client, method string, body io.Reader, size int64) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, s.address, body)
	if err != nil {
		return 0, errors.New("the bucket's address cannot be called")
	}
	if body != nil {
		r.ContentLength = size
		r.Header.Set("Content-Type", "video/mp4")
	}
	if r, err = s.sign(r); err != nil {
		return 0, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("the bucket cannot be reached: %s", plain(err))
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, nil
}

func shelfS3(ctx context.Context, c *cloud, place reel.Address) (shelf, error) {
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	keys, err := c.awsKeys().GetWithContext(&credentials.CredContext{Client: &http.Client{Timeout: 2 * time.Second}})
	if err != nil || keys.AccessKeyID == "" {
		return shelf{}, errors.New("the bucket cannot be written: there are no AWS credentials")
	}
	host := "https://s3." + region + ".amazonaws.com"
	if own := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL")); own != "" {
		host = strings.TrimRight(own, "/")
	}
	address := host + "/" + place.Host + "/" + s3utils.EncodePath(place.Object)
	return shelf{
		address: address,
		sign: func(r *http.Request) (*http.Request, error) {
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			return signer.SignV4(*r, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, region), nil
		},
		presign: func() (string, error) {
			get, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				return "", errors.New("the bucket's address cannot be called")
			}
			return signer.PreSignV4(*get, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, region, int64(offered.Seconds())).URL.String(), nil
		},
	}, nil
}
