// Command watch-check watches nodes, pods and ClusterPolicies with client-go informers and compares, again and again,
// what the informers know with what the server lists.
//
//	watch-check --kubeconfig FILE --for 10m
//
// It prints one JSON object: for each resource how many events, lists and watches there were, how many changes of
// numbered objects were skipped, and every difference that lasted. Objects are numbered by whoever changes them: each
// change counts the label watch-check/sequence up by one.
//
// Exit status 1 when a change was missed, or when an informer listed over and over although its watches merely ended.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/clientcmd"
)

// period is the time between two comparisons.
const period = 2 * time.Second

var watched = []schema.GroupVersionResource{
	{Version: "v1", Resource: "nodes"},
	{Version: "v1", Resource: "pods"},
	{Group: "nvidia.com", Version: "v1", Resource: "clusterpolicies"},
}

// result is what one informer experienced.
type result struct {
	Events  int64    `json:"events"`
	Lists   int64    `json:"lists"`
	Watches int64    `json:"watches"`
	Skipped int64    `json:"skipped"`
	Missed  []string `json:"missed"`
}

// bad says whether the server did not keep its promises: a change may be skipped only by listing anew, which a client
// has to do only once in a while.
func (r *result) bad() bool {
	return len(r.Missed) > 0 || r.Lists > 2+r.Watches/10 || (r.Lists == 1 && r.Skipped > 0)
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the server to check")
	length := flag.Duration("for", 10*time.Minute, "how long to watch")
	flag.Parse()
	results, err := check(*kubeconfig, *length)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(2)
	}
	for _, found := range results {
		if found.bad() {
			os.Exit(1)
		}
	}
}

func check(kubeconfig string, length time.Duration) (map[string]*result, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	// The comparing lists must not be counted as those of the informers.
	lister, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	requests := countRequests(config)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	observers := map[schema.GroupVersionResource]*observer{}
	for _, resource := range watched {
		informer := factory.ForResource(resource).Informer()
		observers[resource] = &observer{store: informer.GetStore()}
		if _, err := informer.AddEventHandler(observers[resource].handler()); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	missed := compareUntilDone(ctx, lister, observers)
	results := map[string]*result{}
	for resource, seen := range observers {
		name := resource.Resource
		results[name] = &result{
			Events:  seen.events.Load(),
			Lists:   requests.of(name, lists),
			Watches: requests.of(name, watches),
			Skipped: seen.skipped.Load(),
			Missed:  append([]string{}, missed[resource]...),
		}
	}
	return results, nil
}

func compareUntilDone(ctx context.Context, client dynamic.Interface, observers map[schema.GroupVersionResource]*observer) map[schema.GroupVersionResource][]string {
	found := map[schema.GroupVersionResource][]string{}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return found
		case <-ticker.C:
			for resource, seen := range observers {
				found[resource] = append(found[resource], missed(ctx, client.Resource(resource), seen.store)...)
			}
		}
	}
}
