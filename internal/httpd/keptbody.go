package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// Numbers of PROTOCOL 5.
const (
	keptMessage = 2 << 20  // characters of an encrypted_message
	keptRoom    = 64 << 10 // bytes of everything else in a body: names are cut, not refused, so they may be long
	keptIV      = 64       // characters, as inigma has it
	keptSalt    = 128
	keptDays    = 30 // unless the request says otherwise
	keptMaxDays = 365
	keptPage    = 10
	keptMaxPage = 100
	keptPages   = 1_000_000 // so that no product of pages overflows, on any platform
)

// The bodies of the requests; package wire has them with types.
type (
	keepBody struct {
		Message    member `json:"encrypted_message"`
		IV         member `json:"iv"`
		Salt       member `json:"salt"`
		TTL        member `json:"ttl"`
		CustomName member `json:"custom_name"`
		CreatorUID member `json:"creator_uid"`
		Key        member `json:"idempotency_key"`
		ClaimHash  member `json:"claim_hash"`
	}
	viewBody struct {
		View member `json:"view"`
		UID  member `json:"uid"`
	}
	claimBody struct {
		View       member `json:"view"`
		UID        member `json:"uid"`
		Message    member `json:"encrypted_message"`
		IV         member `json:"iv"`
		Salt       member `json:"salt"`
		ClaimToken member `json:"claim_token"`
		IfRevision member `json:"if_rev"`
	}
	listBody struct {
		UID     member `json:"uid"`
		Page    member `json:"page"`
		PerPage member `json:"per_page"`
	}
	relabelBody struct {
		View       member `json:"view"`
		UID        member `json:"uid"`
		CustomName member `json:"custom_name"`
	}
)

// stored is what a request that stores a message has taken: bytes, and memory for as long as it is under way.
type stored struct {
	*upload

	whole *heldBody
}

// release gives back what was not needed; of a nil *stored, nothing.
func (b *stored) release(ctx context.Context) {
	if b != nil {
		b.whole.release()
		b.settle(ctx)
	}
}

// decodeStored reads the body of a request that stores a message.
func (s *server) decodeStored(w http.ResponseWriter, r *http.Request, v any) (*stored, error) {
	body, err := s.receive(w, r, s.keptLimit)
	if err != nil {
		return nil, keptBodyProblem(err)
	}
	b := &stored{body, s.whole(body)}
	err = decodeFrom(w, r, b.whole, s.keptLimit, v)
	switch {
	case b.whole.refused:
		err = errBusy
	case err != nil && b.problem != nil:
		err = b.problem
	}
	return b, keptBodyProblem(err)
}

// decodeKept reads the body of any other request. It is small, and whoever has used up their bytes may still read.
func (s *server) decodeKept(w http.ResponseWriter, r *http.Request, v any) error {
	body := &upload{r: r.Body}
	err := decodeFrom(w, r, body, keptRoom, v)
	if err != nil && body.problem != nil {
		err = body.problem
	}
	return keptBodyProblem(err)
}

func decodeFrom(w http.ResponseWriter, r *http.Request, body io.Reader, limit int64, v any) error {
	r.Body = io.NopCloser(body)
	return decodeLenient(w, r, limit, v)
}

// keptBodyProblem says what is wrong with a body as a whole, as inigma's framework does where it has words for it.
func keptBodyProblem(err error) error {
	e, ok := errors.AsType[*bodyError](err)
	switch {
	case errors.Is(err, errEmpty):
		return invalid(flaw("", "missing", "Field required"))
	case ok && (e.fault == faultSyntax || e.fault == faultShape):
		return invalid(flaw("", "json_invalid", e.sentence))
	}
	return kept.body(err)
}

func (b *keepBody) check(v *vault.Vault) (vault.Message, error) {
	var f flaws
	var m vault.Message
	f.message(&b.Message)
	m.IV, m.Salt = f.raw("iv", &b.IV, keptIV), f.raw("salt", &b.Salt, keptSalt)
	days := f.whole("ttl", &b.TTL, keptDays, 0, keptMaxDays)
	m.Label = f.optional("custom_name", &b.CustomName)
	uid := f.uid("creator_uid", &b.CreatorUID)
	m.Key = f.key(&b.Key)
	m.Claim = f.claimHash(&b.ClaimHash)
	if f != nil {
		return m, invalid(f...)
	}
	m.Author = v.User(uid)
	m.TTL = time.Duration(days) * 24 * time.Hour
	if !b.TTL.given() {
		m.TTL = min(m.TTL, v.MaxTTL())
	}
	if m.Key != "" {
		m.Body = bodyHash(b.Message.text, []byte(m.IV), []byte(m.Salt), binary.BigEndian.AppendUint32(nil, uint32(days)), //nolint:gosec // G115: 0 to 365
			[]byte(m.Label), m.Claim[:], []byte(uid))
	}
	return m, nil
}

// bodyHash is of all that a request asks for, with the length before each part, so that no two requests run together.
func bodyHash(parts ...[]byte) vault.Hash {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		_, _ = h.Write(p)
	}
	return vault.Hash(h.Sum(nil))
}

func (b *viewBody) check(v *vault.Vault) (vault.View, vault.User, error) {
	var f flaws
	return f.who(v, &b.View, &b.UID)
}

func (b *claimBody) check(v *vault.Vault) (vault.View, vault.User, vault.Claim, error) {
	var f flaws
	c := vault.Claim{Revision: -1}
	f.message(&b.Message)
	c.IV, c.Salt = f.raw("iv", &b.IV, keptIV), f.raw("salt", &b.Salt, keptSalt)
	c.Token = f.claimToken(&b.ClaimToken)
	if b.IfRevision.given() {
		c.Revision = f.whole("if_rev", &b.IfRevision, 0, 0, math.MaxInt32)
	}
	view, user, err := f.who(v, &b.View, &b.UID)
	return view, user, c, err
}

func (b *listBody) check(v *vault.Vault) (user vault.User, page, perPage int, err error) {
	var f flaws
	uid := f.uid("uid", &b.UID)
	page = f.whole("page", &b.Page, 1, 1, keptPages)
	perPage = f.whole("per_page", &b.PerPage, keptPage, 1, keptMaxPage)
	if f != nil {
		return user, 0, 0, invalid(f...)
	}
	return v.User(uid), page, perPage, nil
}

func (b *relabelBody) check(v *vault.Vault) (vault.View, vault.User, string, error) {
	var f flaws
	label, _ := f.text("custom_name", &b.CustomName)
	view, user, err := f.who(v, &b.View, &b.UID)
	return view, user, string(label), err
}
