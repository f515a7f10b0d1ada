package main

import (
	"net/http"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// counter counts the requests of the informers by resource: a list starts anew, a watch may go on. A watch-list
// (sendInitialEvents) is a list in the form of a watch.
type counter struct {
	next http.RoundTripper
	lock sync.Mutex
	seen map[string]*[2]int64
}

const (
	lists = iota
	watches
)

func countRequests(config *rest.Config) *counter {
	counted := &counter{seen: map[string]*[2]int64{}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		counted.next = next
		return counted
	})
	return counted
}

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	kind := lists
	if query.Get("watch") == "true" && query.Get("sendInitialEvents") != "true" {
		kind = watches
	}
	resource := request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:]
	c.lock.Lock()
	if c.seen[resource] == nil {
		c.seen[resource] = &[2]int64{}
	}
	c.seen[resource][kind]++
	c.lock.Unlock()
	return c.next.RoundTrip(request)
}

func (c *counter) of(resource string, kind int) int64 {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.seen[resource] == nil {
		return 0
	}
	return c.seen[resource][kind]
}
