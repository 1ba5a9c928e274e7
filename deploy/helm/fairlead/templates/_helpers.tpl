{{- define "fairlead.name" -}}
{{- if contains "fairlead" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-fairlead" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "fairlead.selector" -}}
app.kubernetes.io/name: fairlead
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "fairlead.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "fairlead.zones" -}}
{{ .Values.existingZones | default (printf "%s-zones" (include "fairlead.name" .)) }}
{{- end -}}

{{- /* The node file of the node with the ordinal .i */ -}}
{{- define "fairlead.node" -}}
{{- $name := printf "%s-%d" (include "fairlead.name" .root) .i -}}
{{- $node := dict "name" $name "admin" (dict "socket" "/run/fairlead/admin.sock") -}}
{{- with .root.Values.region }}{{ $_ := set $node "region" . }}{{ end -}}
{{- with .root.Values.az }}{{ $_ := set $node "az" . }}{{ end -}}
{{- if .root.Values.cluster.nodes -}}
{{- $cluster := deepCopy .root.Values.cluster -}}
{{- $gossip := dict "listen" "0.0.0.0:7946" "advertise" "auto" "identity" (printf "/etc/fairlead/keys/%s.key" $name) "keyring" "/etc/fairlead/keys/keyring" -}}
{{- $_ := set $cluster "gossip" (mergeOverwrite $gossip ($cluster.gossip | default dict)) -}}
{{- $_ := set $node "cluster" $cluster -}}
{{- end -}}
{{- if .root.Values.discovery.enabled -}}
{{- $reads := dict "in_cluster" true -}}
{{- with .root.Values.region }}{{ $_ := set $reads "region" . }}{{ end -}}
{{- with .root.Values.az }}{{ $_ := set $reads "az" . }}{{ end -}}
{{- with .root.Values.discovery.zones }}{{ $_ := set $reads "zones" (dict "namespace" . "directory" "/var/lib/fairlead/zones.d") }}{{ end -}}
{{- $_ := set $node "kubernetes" (dict "clusters" (dict .root.Values.discovery.cluster $reads)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $node (deepCopy .root.Values.node)) -}}
{{- end -}}
