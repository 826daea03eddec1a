package httpd_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// watched holds every answer that h gives in any test to what holds for all of them: the headers, the form of
// refusals, and that openapi.yaml declares the status.
func watched(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	known := operations(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &watcher{ResponseWriter: w}
		defer func() {
			if s.status == 0 {
				return // broken off before it began
			}
			statuses, described := known[r.Method+" "+r.Pattern]
			if described && !anywhere[s.status] && !slices.Contains(statuses, strconv.Itoa(s.status)) {
				t.Errorf("%s %s answered %d, which openapi.yaml does not declare", r.Method, r.Pattern, s.status)
			}
			for _, problem := range headerProblems(r.Method, w.Header()) {
				t.Errorf("%s %s answered %d with %s", r.Method, r.Pattern, s.status, problem)
			}
			if s.status >= 400 && strings.HasPrefix(r.Pattern, "/api/") && !isRefusal(r.Pattern, s.status, s.body) {
				t.Errorf("%s %s refused with %q", r.Method, r.Pattern, s.body)
			}
		}()
		h.ServeHTTP(s, r)
	})
}

// anywhere are what the description says once for all, and what ServeMux answers to paths such as //api/health.
var anywhere = map[int]bool{http.StatusInternalServerError: true, http.StatusTemporaryRedirect: true}

// headers go with every answer (PROTOCOL 4), and shown with what a browser may show, embed or index.
var (
	headers = map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
	}
	shown = map[string]string{
		"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"X-Robots-Tag": "noindex, nofollow, noarchive, nosnippet",
	}
	never = []string{"Server", "X-Powered-By", "Set-Cookie", "Etag", "Last-Modified"}
)

func headerProblems(method string, h http.Header) (problems []string) {
	want := maps.Clone(headers)
	if method == http.MethodGet || method == http.MethodHead {
		maps.Copy(want, shown)
	}
	for name, value := range want {
		if got := h.Values(name); len(got) != 1 || got[0] != value {
			problems = append(problems, name+": "+strings.Join(got, " | "))
		}
	}
	for _, name := range never {
		if h.Get(name) != "" {
			problems = append(problems, name)
		}
	}
	return problems
}

// isRefusal tells our form of an error, and only-once-share's, which has no code; and the forms of inigma's dialect.
func isRefusal(pattern string, status int, body []byte) bool {
	if form, ok := keptForms[pattern]; ok {
		return status == http.StatusUnprocessableEntity && keptInvalid.Match(body) || form.Match(body)
	}
	var e struct{ Error, Code string }
	return json.Unmarshal(body, &e) == nil && strings.TrimSpace(e.Error) != ""
}

// Forms of refusals in inigma's dialect, by route.
var (
	keptTrouble = regexp.MustCompile(`^\{"detail":"[^"]+"\}\n$`)
	keptRefusal = regexp.MustCompile(`^\{"message":"[^"]+","redirect_root":"true"\}\n$`)
	keptFailed  = regexp.MustCompile(`^\{"status":"failed","message":"[^"]+"\}\n$`)
	keptInvalid = regexp.MustCompile(`^\{"detail":\[(\{"loc":\["body"(,"[a-z_]+")?\],"msg":"([^"\\]|\\.)+","type":"[a-z_]+"\},?)+\]\}\n$`)
	keptForms   = map[string]*regexp.Regexp{
		"/api/create": keptTrouble, "/api/list-secrets": keptTrouble, "/api/list-pending-secrets": keptTrouble,
		"/api/view": keptRefusal, "/api/update": keptFailed, "/api/undo-claim": keptFailed,
		"/api/update-custom-name": keptFailed, "/api/delete-secret": keptFailed,
	}
)

// watcher keeps the status, and the body of a refusal.
type watcher struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watcher) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watcher) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.status >= 400 {
		w.body = append(w.body, p...)
	}
	return w.ResponseWriter.Write(p)
}
