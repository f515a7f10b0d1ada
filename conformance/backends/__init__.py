"""Where the cluster under test comes from: each backend starts something and hands out a kubeconfig."""
