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

// Offer lays a file into a bucket of S3, or of what speaks like it, and gives an address from which anybody can fetch it for a day, whose
// signature is a secret. The same content is laid there once. No error holds the address.
func Offer(ctx context.Context, client *http.Client, bucket reel.Address, file string) (string, error) {
	if bucket.Scheme != "s3" {
		return "", errors.New("videos can be offered from s3:// alone")
	}
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
	c := &cloud{http: client}
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	keys, err := c.awsKeys().GetWithContext(&credentials.CredContext{Client: &http.Client{Timeout: 2 * time.Second}})
	if err != nil || keys.AccessKeyID == "" {
		return "", errors.New("the bucket cannot be written: there are no AWS credentials")
	}
	host := "https://s3." + region + ".amazonaws.com"
	if own := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL")); own != "" {
		host = strings.TrimRight(own, "/")
	}
	object := path.Join(bucket.Object, hex.EncodeToString(sum.Sum(nil))+".mp4")
	address := host + "/" + bucket.Host + "/" + s3utils.EncodePath(object)
	signed := func(method string, body io.Reader) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, method, address, body)
		if err != nil {
			return nil, errors.New("the bucket's address cannot be called")
		}
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		return r, nil
	}
	send := func(r *http.Request) (int, error) {
		resp, err := client.Do(signer.SignV4(*r, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, region))
		if err != nil {
			return 0, fmt.Errorf("the bucket cannot be reached: %s", plain(err))
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
		return resp.StatusCode, nil
	}
	head, err := signed(http.MethodHead, nil)
	if err != nil {
		return "", err
	}
	if status, err := send(head); err != nil || status != http.StatusOK {
		put, err := signed(http.MethodPut, f)
		if err != nil {
			return "", err
		}
		put.ContentLength = size
		put.Header.Set("Content-Type", "video/mp4")
		switch status, err := send(put); {
		case err != nil:
			return "", err
		case status != http.StatusOK:
			return "", fmt.Errorf("the bucket does not take the video: HTTP %d %s", status, http.StatusText(status))
		}
	}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New("the bucket's address cannot be called")
	}
	const day = 24 * 60 * 60
	return signer.PreSignV4(*get, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, region, day).URL.String(), nil
}
