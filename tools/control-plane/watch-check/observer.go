package main

import (
	"strconv"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
)

// sequence is the label that whoever changes an object counts up by one with each change.
const sequence = "watch-check/sequence"

// observer counts the events of one informer, and the changes between two events of a numbered object.
type observer struct {
	store   cache.Store
	events  atomic.Int64
	skipped atomic.Int64
}

func (o *observer) handler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { o.events.Add(1) },
		UpdateFunc: func(before, after any) {
			o.events.Add(1)
			was, wasNumbered := number(before)
			is, isNumbered := number(after)
			if wasNumbered && isNumbered && is > was+1 {
				o.skipped.Add(is - was - 1)
			}
		},
		DeleteFunc: func(any) { o.events.Add(1) },
	}
}

func number(object any) (int64, bool) {
	text, found := object.(*unstructured.Unstructured).GetLabels()[sequence]
	value, err := strconv.ParseInt(text, 10, 64)
	return value, found && err == nil
}
