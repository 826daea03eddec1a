package wire

// The dialect of inigma, for kept secrets (PROTOCOL 5). Its clients know no other names.

// KeepRequest is the body of POST /api/create. Message, IV and Salt are standard base64; TTL is in days, 0 never expires.
type KeepRequest struct {
	Message        string `json:"encrypted_message"`
	IV             string `json:"iv"`
	Salt           string `json:"salt"`
	CreatorUID     Token  `json:"creator_uid"`
	TTL            *int   `json:"ttl,omitempty"`
	CustomName     string `json:"custom_name,omitempty"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	ClaimHash      string `json:"claim_hash,omitempty"` // b64u SHA-256 of the claim token (PROTOCOL 5.1)
}

// KeptCreated answers it. URL is where the server is, with a slash at its end: inigma's clients append "view?view=", View
// and "#key=" to it.
type KeptCreated struct {
	URL  string `json:"url"`
	View string `json:"view"`
}

// ViewRequest is the body of POST /api/view. It is also that of /api/delete-secret and /api/undo-claim.
type ViewRequest struct {
	View string `json:"view"`
	UID  Token  `json:"uid"`
}

// KeptSecret answers POST /api/view. ClaimRequired says that a claim must bring a claim token.
type KeptSecret struct {
	Message       string `json:"encrypted_message"` // first: httpd streams it, and puts the rest behind it
	IV            string `json:"iv"`
	Salt          string `json:"salt"`
	CustomName    string `json:"custom_name"`
	IsOwner       bool   `json:"is_owner"`
	ClaimRequired bool   `json:"claim_required"`
	Revision      int    `json:"rev"`
}

// ClaimRequest is the body of POST /api/update: the message, sealed again under the claimer's own key.
type ClaimRequest struct {
	View       string `json:"view"`
	UID        Token  `json:"uid"`
	Message    string `json:"encrypted_message"`
	IV         string `json:"iv"`
	Salt       string `json:"salt"`
	ClaimToken Token  `json:"claim_token,omitempty"` // b64u (PROTOCOL 5.1)
	IfRevision *int   `json:"if_rev,omitempty"`      // refuse unless the message is still of this revision
}

// KeptDone answers what has no more to say: Status is "success" or "failed".
type KeptDone struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// ListRequest is the body of POST /api/list-secrets and /api/list-pending-secrets.
type ListRequest struct {
	UID     Token `json:"uid"`
	Page    int   `json:"page"`     // from 1
	PerPage int   `json:"per_page"` // 1 to 100
}

// KeptList answers them, the newest first.
type KeptList struct {
	Secrets []KeptEntry `json:"secrets"`
	Page    int         `json:"page"`
	PerPage int         `json:"per_page"`
	Total   int         `json:"total"`
	HasMore bool        `json:"has_more"`
}

// KeptEntry is one line of a list.
type KeptEntry struct {
	ID         string `json:"id"` // the view
	CustomName string `json:"custom_name"`
	Days       int    `json:"days_remaining"`         // in the unit that Type names, whatever its own name says; -1: it does not expire
	Display    string `json:"time_remaining_display"` // "3 days", "1 hour", "Permanent"
	Type       string `json:"time_remaining_type"`    // days, hours, minutes or permanent
}

// RelabelRequest is the body of POST /api/update-custom-name.
type RelabelRequest struct {
	View       string `json:"view"`
	UID        Token  `json:"uid"`
	CustomName string `json:"custom_name"`
}

// How requests are refused: a view; what would have been answered with KeptDone, by a KeptDone; the rest; and any of them
// with 422.
type (
	KeptRefusal struct {
		Message      string `json:"message"`
		RedirectRoot string `json:"redirect_root"` // always "true"
	}
	KeptTrouble struct {
		Detail string `json:"detail"`
	}
	KeptInvalid struct {
		Detail []KeptFault `json:"detail"`
	}
	// KeptFault names what is wrong, as pydantic does: where, in words, and of which kind.
	KeptFault struct {
		Loc  []any  `json:"loc"` // "body" and the member
		Msg  string `json:"msg"`
		Type string `json:"type"`
	}
)
