package httpd

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// logged writes one line a request: method, route pattern, status, bytes, time. Never the path, a header, a body
// or an address: a path holds an alias, and may hold a whole link that a mail gateway has mangled (PROTOCOL 3.1).
func (s *server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			v := recover()
			aborted := false
			if v != nil {
				err, _ := v.(error)
				if aborted = errors.Is(err, http.ErrAbortHandler); !aborted {
					s.crashed(rec, v)
				}
			}
			s.access(r, rec, time.Since(start), aborted)
			if aborted {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// access goes to the handler itself: the Logger would look up its caller, which here is always the same.
func (s *server) access(r *http.Request, w *recorder, took time.Duration, aborted bool) {
	h := s.Log.Handler()
	if !h.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.AddAttrs(slog.String("method", knownMethod(r.Method)), slog.String("route", r.Pattern), slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes), slog.Duration("took", took))
	if aborted {
		line.AddAttrs(slog.Bool("aborted", true))
	}
	_ = h.Handle(r.Context(), line)
}

// crashed answers 500 if there is still time. The value of a panic may hold anything, so only its type is told.
func (s *server) crashed(w *recorder, v any) {
	s.Log.Error("panic", slog.String("type", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
	if w.status == 0 {
		own.refuse(w, errInternal)
	}
}

// report tells the operator why a request ended in trouble of ours.
func (s *server) report(r *http.Request, err error) {
	s.Log.Warn("trouble", slog.String("route", r.Pattern), slog.Any("err", err))
}

// knownMethod keeps words of strangers out of the log.
func knownMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
		return m
	}
	return "other"
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}
