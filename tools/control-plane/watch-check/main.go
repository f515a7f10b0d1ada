// Command watch-check watches nodes, pods and ClusterPolicies with client-go informers and compares, again and again,
// what the informers know with what the server lists.
//
//	watch-check --kubeconfig FILE --for 10m
//
// It prints one JSON object: how many events, relists and watches there were, and every difference that lasted. Exit
// status 1 when a change was missed, or when an informer relisted over and over although its watches merely ended.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// settle is how long an informer may lag behind a list before the difference counts as a missed change.
const settle = 5 * time.Second

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
	Missed  []string `json:"missed"`
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
		if len(found.Missed) > 0 || found.Lists > 2+found.Watches/10 {
			os.Exit(1)
		}
	}
}

func check(kubeconfig string, length time.Duration) (map[string]*result, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	requests := countRequests(config)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	// The comparing lists must not be counted as those of the informers.
	plain, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	lister, err := dynamic.NewForConfig(plain)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	results := map[string]*result{}
	stores := map[schema.GroupVersionResource]cache.Store{}
	for _, resource := range watched {
		found := &result{Missed: []string{}}
		results[resource.Resource] = found
		informer := factory.ForResource(resource).Informer()
		stores[resource] = informer.GetStore()
		if _, err := informer.AddEventHandler(counting(&found.Events)); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	compareUntilDone(ctx, lister, stores, results)
	for _, resource := range watched {
		results[resource.Resource].Lists = requests.of(resource.Resource, lists)
		results[resource.Resource].Watches = requests.of(resource.Resource, watches)
	}
	return results, nil
}

func counting(events *int64) cache.ResourceEventHandlerFuncs {
	count := func() { atomic.AddInt64(events, 1) }
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { count() },
		UpdateFunc: func(any, any) { count() },
		DeleteFunc: func(any) { count() },
	}
}

func compareUntilDone(ctx context.Context, client dynamic.Interface, stores map[schema.GroupVersionResource]cache.Store, results map[string]*result) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, resource := range watched {
				found := results[resource.Resource]
				found.Missed = append(found.Missed, missed(ctx, client, resource, stores[resource])...)
			}
		}
	}
}

// missed waits until the store knows everything that the server just listed, and nothing that it no longer has, and
// names the objects for which that does not come true in time.
func missed(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource, store cache.Store) []string {
	deadline := time.Now().Add(settle)
	for {
		known := versions(store)
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil
		}
		late := difference(known, list)
		if len(late) == 0 || ctx.Err() != nil {
			return nil
		}
		if time.Now().After(deadline) {
			return late
		}
		wanted := versionsOf(list)
		for time.Now().Before(deadline) && !reached(versions(store), wanted) {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func versions(store cache.Store) map[string]uint64 {
	found := map[string]uint64{}
	for _, item := range store.List() {
		add(found, item.(*unstructured.Unstructured))
	}
	return found
}

func versionsOf(list *unstructured.UnstructuredList) map[string]uint64 {
	found := map[string]uint64{}
	for i := range list.Items {
		add(found, &list.Items[i])
	}
	return found
}

func add(found map[string]uint64, item *unstructured.Unstructured) {
	version, err := strconv.ParseUint(item.GetResourceVersion(), 10, 64)
	if err == nil {
		found[item.GetNamespace()+"/"+item.GetName()] = version
	}
}

// reached says whether the store is at least as new as the list for every object of both.
func reached(known, wanted map[string]uint64) bool {
	for key, version := range wanted {
		if known[key] < version {
			return false
		}
	}
	return true
}

// difference names what the store lacks, holds in an older version, or holds although the server has it no more.
func difference(known map[string]uint64, list *unstructured.UnstructuredList) []string {
	wanted := versionsOf(list)
	var late []string
	for key, version := range wanted {
		if known[key] < version {
			late = append(late, key)
		}
	}
	for key := range known {
		if _, exists := wanted[key]; !exists {
			late = append(late, key+" (deleted)")
		}
	}
	return late
}
