{{- define "mig-conformance.labels" -}}
app.kubernetes.io/name: mig-conformance
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* The levels of rights that the mode has, as a list in a map, since a template gives text. */ -}}
{{- define "mig-conformance.levels" -}}
levels:
  - read-only
{{- if ne .Values.mode "read-only" }}
  - node-labels
{{- end }}
{{- if eq .Values.mode "cluster-wide" }}
  - cluster-wide
{{- end }}
{{- if .Values.allowExec }}
  - exec
{{- end }}
{{- if .Values.publish }}
  - publish
{{- end }}
{{- end -}}

{{- define "mig-conformance.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end -}}

{{- /* The spec of the Job: that of manifests/deploy, and a test compares. */ -}}
{{- define "mig-conformance.job" -}}
{{- $deadlines := dict "read-only" 900 "node-labels" 7200 "cluster-wide" 14400 -}}
{{- $graces := dict "read-only" 60 "node-labels" 1800 "cluster-wide" 3600 -}}
backoffLimit: 0
activeDeadlineSeconds: {{ .Values.activeDeadlineSeconds | default (get $deadlines .Values.mode) }}
ttlSecondsAfterFinished: 604800
template:
  metadata:
    labels:
      {{- include "mig-conformance.labels" . | nindent 6 }}
    annotations:
      cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
  spec:
    serviceAccountName: mig-conformance
    automountServiceAccountToken: true
    restartPolicy: Never
    terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | default (get $graces .Values.mode) }}
    {{- with .Values.image.pullSecrets }}
    imagePullSecrets: {{ toJson . }}
    {{- end }}
    {{- with .Values.nodeSelector }}
    nodeSelector: {{ toJson . }}
    {{- end }}
    {{- with .Values.tolerations }}
    tolerations: {{ toJson . }}
    {{- end }}
    affinity:
      nodeAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            preference:
              matchExpressions:
                - {key: nvidia.com/gpu.present, operator: DoesNotExist}
    securityContext:
      runAsNonRoot: true
      {{- with .Values.user }}
      runAsUser: {{ int64 . }}
      runAsGroup: {{ int64 . }}
      fsGroup: {{ int64 . }}
      {{- end }}
      seccompProfile: {type: RuntimeDefault}
    containers:
      - name: suite
        image: {{ include "mig-conformance.image" . }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args:
          - --cluster=live
          - --require=partial
          - --report-dir=/results
          - --results=configmap/{{ .Values.results.configMap }}
          - --termination-log=/dev/termination-log
          {{- if ne .Values.mode "read-only" }}
          - --allow-disruptive
          - --profile=core
          {{- end }}
          {{- if eq .Values.mode "cluster-wide" }}
          - --allow-cluster-wide
          {{- end }}
          {{- if .Values.allowExec }}
          - --allow-exec
          {{- end }}
          {{- if .Values.publish }}
          - --publish
          {{- end }}
          {{- with .Values.podImage }}
          - {{ printf "--image=%s" . | quote }}
          {{- end }}
          {{- range .Values.args }}
          - {{ . | quote }}
          {{- end }}
        terminationMessagePath: /dev/termination-log
        terminationMessagePolicy: FallbackToLogsOnError
        resources: {{ toJson .Values.resources }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
        volumeMounts:
          - {name: work, mountPath: /work}
          - {name: work, mountPath: /tmp, subPath: tmp}
          - {name: results, mountPath: /results}
    volumes:
      - name: work
        emptyDir: {}
      - name: results
        {{- if .Values.results.claim }}
        persistentVolumeClaim: {claimName: {{ .Values.results.claim }}}
        {{- else }}
        emptyDir: {}
        {{- end }}
{{- end -}}
