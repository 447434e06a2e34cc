package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// BucketBodies is the Object Store bucket that carries bodies over max_payload, of requests,
// of replies and of uploads. Its objects expire.
const BucketBodies = "fn_bodies"

// BucketJobs is the Object Store bucket that carries bodies over max_payload of jobs that wait, of dead letters and of
// outcomes. Its objects expire when no job can wait for them any more.
const BucketJobs = "fn_job_bodies"

// MaxObject is the length of the longest name of an object, in bytes: it becomes part of a subject.
const MaxObject = 255

// Claim is a claim check: the body is not in the message but is an object in BucketBodies, or in BucketJobs.
type Claim struct {
	Bucket string // BucketJobs, or empty for BucketBodies; in calls it means nothing
	Object string // its name
	Size   int64  // in bytes
	Digest string // see Digest
}

// Digest returns the digest of b in the form of manifests and headers: "sha256:" and 64
// hexadecimal digits.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// CheckDigest returns nil if s has the form of a digest.
func CheckDigest(s string) error {
	sum, ok := strings.CutPrefix(s, "sha256:")
	if _, err := hex.DecodeString(sum); !ok || err != nil || len(sum) != 2*sha256.Size || strings.ToLower(sum) != sum {
		return Errorf(CodeBadRequest, "", `digest %.80q: write "sha256:" and 64 hexadecimal digits in lower case`, s)
	}
	return nil
}

// Put writes the claim into headers.
func (c *Claim) Put(h Header) {
	h.Set(HeaderObject, c.Object)
	h.Set(HeaderSize, strconv.FormatInt(c.Size, 10))
	h.Set(HeaderDigest, c.Digest)
	h.Delete(HeaderBucket)
	if c.Bucket != "" {
		h[HeaderBucket] = []string{c.Bucket}
	}
}

// ParseClaim reads a claim from headers. It returns nil if there is none.
func ParseClaim(h Header) (*Claim, error) {
	object := h.Get(HeaderObject)
	if object == "" {
		return nil, nil
	}
	if len(object) > MaxObject {
		return nil, Errorf(CodeBadRequest, "", "header %s: %.40q... has %d bytes; at most %d", HeaderObject, object,
			len(object), MaxObject)
	}
	size, err := strconv.ParseInt(h.Get(HeaderSize), 10, 64)
	if err != nil || size < 0 {
		return nil, Errorf(CodeBadRequest, "", "header %s: %.40q is not a number of bytes", HeaderSize, h.Get(HeaderSize))
	}
	c := &Claim{Object: object, Size: size, Digest: h.Get(HeaderDigest), Bucket: h.Get(HeaderBucket)}
	if c.Bucket != "" && c.Bucket != BucketJobs {
		return nil, Errorf(CodeBadRequest, "", "header %s: %.40q has no bodies", HeaderBucket, c.Bucket)
	}
	if err := CheckDigest(c.Digest); err != nil {
		return nil, Errorf(CodeBadRequest, "", "header %s: %w", HeaderDigest, err)
	}
	return c, nil
}

// Check returns nil if body is what the claim promises.
func (c *Claim) Check(body []byte) error {
	if int64(len(body)) != c.Size || Digest(body) != c.Digest {
		return Errorf(CodeBadRequest, "", "object %s does not match its claim: it has %d bytes and %s",
			c.Object, len(body), Digest(body))
	}
	return nil
}
