package httpd

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// route is one line of the API.
type route struct {
	method  string
	pattern string
	class   Class // what limits count it as
	free    bool  // not limited at all
	dialect *dialect
	handle  func(*server, http.ResponseWriter, *http.Request) error
}

// routes is the whole API; openapi.yaml describes it, and a test compares the two. No pattern names a method:
// ServeMux takes "GET /x" for HEAD as well, and a HEAD must never read a secret (PROTOCOL 4.7).
var routes = []route{
	{"PUT", "/api/secrets/{id}", ClassCreate, false, &own, (*server).create},
	{"DELETE", "/api/secrets/{id}", ClassDestroy, false, &own, (*server).revoke},
	{"GET", "/api/secrets/{id}", ClassRead, false, &compat, (*server).compatTake},
	{"POST", "/api/secrets", ClassCreate, false, &compat, (*server).compatCreate},
	{"GET", "/api/secrets/{id}/id", ClassRead, false, &own, (*server).resolve},
	{"GET", "/api/secrets/{id}/meta", ClassRead, false, &own, (*server).meta},
	{"POST", "/api/secrets/{id}/open", ClassRead, false, &own, (*server).open},
	{"POST", "/api/secrets/{id}/ack", ClassDestroy, false, &own, (*server).ack},
	{"POST", "/api/secrets/{id}/decline", ClassDestroy, false, &own, (*server).decline},
	{"GET", "/api/secrets/{id}/status", ClassRead, false, &own, (*server).status},
	{"GET", "/api/events", ClassRead, false, &own, (*server).events},
	{"POST", "/api/events/ack", ClassDestroy, false, &own, (*server).ackEvents},
	{"POST", "/api/create", ClassCreate, false, &kept, (*server).keep},
	{"POST", "/api/view", ClassRead, false, &keptView, (*server).readKept},
	{"POST", "/api/update", ClassCreate, false, &keptDone, (*server).claim},
	{"POST", "/api/undo-claim", ClassRead, false, &keptDone, (*server).undoClaim},
	{"POST", "/api/list-secrets", ClassRead, false, &kept, (*server).listOwned},
	{"POST", "/api/list-pending-secrets", ClassRead, false, &kept, (*server).listPending},
	{"POST", "/api/update-custom-name", ClassRead, false, &keptDone, (*server).relabel},
	{"POST", "/api/delete-secret", ClassRead, false, &keptDone, (*server).deleteKept},
	{"GET", "/health", ClassRead, true, &kept, (*server).healthy},
	{"GET", "/api/health", ClassRead, true, &own, (*server).health},
	{"GET", "/api/openapi.yaml", ClassRead, true, &own, (*server).openapi},
	{"GET", "/s/{ref...}", ClassRead, true, &own, (*server).linkPage},
	{"GET", "/view", ClassRead, true, &own, (*server).viewPage},
	{"GET", "/{$}", ClassRead, true, &own, (*server).frontPage},
	{"", "/", ClassRead, true, &own, nil},
}

// methods is what one pattern answers to.
type methods struct {
	server *server
	routes []route
	allow  string
}

func (s *server) byPattern() map[string]*methods {
	all := make(map[string]*methods)
	for _, r := range routes {
		m := all[r.pattern]
		if m == nil {
			m = &methods{server: s}
			all[r.pattern] = m
		}
		m.routes = append(m.routes, r)
	}
	for _, m := range all {
		names := []string{http.MethodOptions}
		for _, r := range m.routes {
			names = append(names, r.method)
			if r.free && r.method == http.MethodGet {
				names = append(names, http.MethodHead) // of what is always the same
			}
		}
		slices.Sort(names)
		m.allow = strings.Join(names, ", ")
	}
	return all
}

func (m *methods) find(method string) *route {
	for i := range m.routes {
		r := &m.routes[i]
		if r.method == method || r.free && r.method == http.MethodGet && method == http.MethodHead {
			return r
		}
	}
	return nil
}

func (m *methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := m.server
	first := &m.routes[0]
	if first.handle == nil {
		first.dialect.refuse(w, errNoRoute)
		return
	}
	route := m.find(r.Method)
	switch {
	case route != nil:
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", m.allow)
		s.preflight(w, r, m.allow)
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", m.allow)
		first.dialect.refuse(w, errMethod)
		return
	}
	if err := s.admit(route, r); err != nil {
		route.dialect.refuse(w, err)
		return
	}
	err := route.handle(s, w, r)
	if err == nil {
		return
	}
	problem := route.dialect.explain(err, s.Now())
	if route.class == ClassRead && (problem.status == http.StatusNotFound || problem.status == http.StatusUnauthorized) {
		s.limits(r).Missed(r.Context(), s.proxies.source(r), 1)
	}
	if problem.status >= http.StatusInternalServerError && r.Context().Err() == nil { // else its client has gone: no trouble of ours
		s.report(r, err)
	}
	route.dialect.refuse(w, problem)
}

// admit refuses what comes from another site, and whoever asks too much.
func (s *server) admit(route *route, r *http.Request) error {
	if s.csrf.Check(r) != nil || route.dialect == &compat && s.foreignRead(r) {
		return errForeign
	}
	if route.free {
		return nil
	}
	if retry, ok := s.limits(r).Allow(r.Context(), route.class, s.proxies.source(r)); !ok {
		return limited(retry)
	}
	return nil
}

func limited(retry time.Duration) *problem {
	p := *errLimited
	p.retryAfter = retry
	return &p
}
