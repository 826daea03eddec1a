package httpd

// Routes lists the route table as the API's description does: method and pattern of everything under /api.
func Routes() map[string][]string {
	all := make(map[string][]string)
	for _, r := range routes {
		if r.handle != nil {
			all[r.pattern] = append(all[r.pattern], r.method)
		}
	}
	return all
}
