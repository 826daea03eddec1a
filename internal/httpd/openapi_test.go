package httpd_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/hushpost/hushpost/internal/httpd"
)

// description is openapi.yaml, as far as the tests look at it.
var description = sync.OnceValues(func() (map[string]any, error) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	return doc, yaml.UnmarshalWithOptions(text, &doc, yaml.Strict()) // strict: no key twice
})

// verbs are the members of a path that are operations.
var verbs = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// operations gives the statuses that the description declares, by "METHOD pattern".
func operations(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := description()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for path, item := range doc["paths"].(map[string]any) {
		for verb, operation := range item.(map[string]any) {
			if slices.Contains(verbs, verb) {
				responses := operation.(map[string]any)["responses"].(map[string]any)
				all[strings.ToUpper(verb)+" "+path] = slices.Sorted(maps.Keys(responses))
			}
		}
	}
	return all
}

func TestDescriptionNamesEveryRoute(t *testing.T) {
	var want, got []string
	for pattern, methods := range httpd.Routes() {
		for _, m := range methods {
			if strings.HasPrefix(pattern, "/api/") || pattern == "/health" {
				want = append(want, m+" "+pattern)
			}
		}
	}
	for operation := range operations(t) {
		got = append(got, operation)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("openapi.yaml has\n%v, the server\n%v", got, want)
	}
}

// TestDescriptionHoldsTogether follows every reference, and finds what nothing refers to.
func TestDescriptionHoldsTogether(t *testing.T) {
	doc, err := description()
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	walk(doc, func(m map[string]any) {
		ref, ok := m["$ref"].(string)
		if !ok {
			return
		}
		used[ref] = true
		var at any = doc
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			node, _ := at.(map[string]any)
			at = node[part]
		}
		if at == nil || !strings.HasPrefix(ref, "#/components/") {
			t.Errorf("%s leads nowhere", ref)
		}
	})
	components := doc["components"].(map[string]any)
	for _, kind := range []string{"parameters", "schemas", "responses"} {
		for name := range components[kind].(map[string]any) {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("nothing uses %s/%s", kind, name)
			}
		}
	}
	ids := make(map[any]bool)
	schemes := components["securitySchemes"].(map[string]any)
	walk(doc["paths"], func(m map[string]any) {
		if id, ok := m["operationId"]; ok {
			if ids[id] {
				t.Errorf("two operations are called %v", id)
			}
			ids[id] = true
		}
		if list, ok := m["security"].([]any); ok {
			for _, s := range list {
				for name := range s.(map[string]any) {
					if schemes[name] == nil {
						t.Errorf("security %q is not defined", name)
					}
				}
			}
		}
	})
}

// walk calls f for every object below v.
func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, x := range v {
			walk(x, f)
		}
	case []any:
		for _, x := range v {
			walk(x, f)
		}
	}
}
