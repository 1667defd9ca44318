{{- /*
Objects have fixed names: the operator's flags, its RBAC and its messages refer
to them, and a second installation in one cluster would fight over the
CustomResourceDefinition and the webhooks anyway.
*/}}

{{- define "credence.selector" -}}
app.kubernetes.io/name: credence-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "credence.labels" -}}
app.kubernetes.io/name: credence-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: credence
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The reference of an image: (list IMAGE-VALUES CHART). */}}
{{- define "credence.image" -}}
{{- $image := index . 0 }}
{{- $chart := index . 1 }}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default $chart.AppVersion }}
{{- end }}
{{- end }}
