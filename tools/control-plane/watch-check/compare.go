package main

import (
	"context"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// settle is how long an informer may lag behind a list before the difference counts as a missed change.
const settle = 5 * time.Second

// missed lists the objects, waits until the store has caught up with that list, and names those for which it does not:
// what it lacks or holds in an older version although it still exists, and what it still holds although it is gone.
func missed(ctx context.Context, client dynamic.ResourceInterface, store cache.Store) []string {
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return ended(ctx, err)
	}
	late := behind(store, list)
	for deadline := time.Now().Add(settle); len(late) > 0 && time.Now().Before(deadline); late = behind(store, list) {
		time.Sleep(20 * time.Millisecond)
	}
	if len(late) == 0 || ctx.Err() != nil {
		return nil
	}
	// What was deleted after the list is rightly not in the store.
	again, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return ended(ctx, err)
	}
	exists := versions(again)
	var names []string
	for name, stale := range late {
		if _, found := exists[name]; found || stale {
			names = append(names, name)
		}
	}
	return names
}

// ended tells a server that does not answer from the end of the check.
func ended(ctx context.Context, err error) []string {
	if ctx.Err() != nil {
		return nil
	}
	return []string{"list: " + err.Error()}
}

// behind returns the objects for which the store is older than the list; true for those that it should no longer hold.
func behind(store cache.Store, list *unstructured.UnstructuredList) map[string]bool {
	listed, listedAt := versions(list), version(list)
	known := map[string]uint64{}
	late := map[string]bool{}
	for _, item := range store.List() {
		object := item.(*unstructured.Unstructured)
		known[key(object)] = version(object)
		if _, exists := listed[key(object)]; !exists && version(object) <= listedAt {
			late[key(object)] = true
		}
	}
	for name, wanted := range listed {
		if known[name] < wanted {
			late[name] = false
		}
	}
	return late
}

func versions(list *unstructured.UnstructuredList) map[string]uint64 {
	found := map[string]uint64{}
	for i := range list.Items {
		found[key(&list.Items[i])] = version(&list.Items[i])
	}
	return found
}

func key(object *unstructured.Unstructured) string {
	return object.GetNamespace() + "/" + object.GetName()
}

// version is 0 where a resource version is no number, which Kubernetes rules out since 1.35.
func version(of interface{ GetResourceVersion() string }) uint64 {
	value, err := strconv.ParseUint(of.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return value
}
