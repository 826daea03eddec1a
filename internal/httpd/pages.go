package httpd

import (
	_ "embed"
	"io"
	"net/http"
	"strconv"

	"github.com/hushpost/hushpost/internal/vault"
)

//go:embed openapi.yaml
var openAPI string

// openapi serves the description of the API.
func (s *server) openapi(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "application/yaml", openAPI)
}

// linkPage answers whoever opens a link in a browser, mangled or not. It touches no secret.
func (s *server) linkPage(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "text/plain; charset=utf-8",
		"This link opens a secret, once. Nothing has been opened yet.\n\n"+
			"Open it in a terminal, with the whole link in quotes:\n\n    hush open 'LINK'\n")
}

// viewPage answers whoever opens the link of a kept secret in a browser. Its view stands in the query, which is not even
// looked at; the key does not come here.
func (s *server) viewPage(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "text/plain; charset=utf-8",
		"This link opens a secret that is kept until it expires. Nothing has been opened yet.\n\n"+
			"Open it in a terminal, with the whole link in quotes:\n\n    hush open 'LINK'\n")
}

// frontPage says what runs here.
func (s *server) frontPage(w http.ResponseWriter, _ *http.Request) error {
	address := "THIS-ADDRESS"
	if s.PublicURL != nil {
		address = s.PublicURL.String()
	}
	return writeText(w, "text/plain; charset=utf-8",
		"Hushpost: secrets that open once.\n\n"+
			"    echo s3cret | hush create --server "+address+"\n    hush open 'LINK'\n\nThe API is described at /api/openapi.yaml\n")
}

func writeText(w http.ResponseWriter, kind, text string) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, err := io.WriteString(w, text)
	return err
}

// healthy is for load balancers that were set up for inigma.
func (s *server) healthy(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"healthy"})
	return nil
}

// health is for load balancers; with ?verbose it touches the store and says what the store promises.
func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	type report struct {
		Status  string            `json:"status"`
		Version string            `json:"version,omitempty"`
		Store   *vault.Inspection `json:"store,omitempty"`
	}
	if !r.URL.Query().Has("verbose") {
		writeJSON(w, http.StatusOK, report{Status: "ok"})
		return nil
	}
	store, err := s.Vault.Inspect(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, report{Status: "ok", Version: s.Version, Store: &store})
	return nil
}
