// Command control-plane is etcd, kube-apiserver, kube-scheduler or kube-controller-manager, by the name it is called by.
//
// A machine with Go and no downloads gets a real Kubernetes control plane from it: build.sh builds it once and makes
// the four names links to the one binary.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var kubernetes = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
}

func main() {
	name := filepath.Base(os.Args[0])
	if name == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	newCommand, known := kubernetes[name]
	if !known {
		fmt.Fprintf(os.Stderr, "call me etcd, kube-apiserver, kube-scheduler or kube-controller-manager, not %s\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(newCommand()))
}
