"""Volumes as types: every kind that a pod can mount, and the claims made for them.

Shared by the custom resources and the built-in kinds. Many of these drivers are long gone from real clusters; they
are here because the operator's definition still takes them, and a manifest that names one must not be refused.
"""

VOLUME_TYPES = r"""
Volume                              # A named volume; exactly one source
  awsElasticBlockStore AWSElasticBlockStoreVolumeSource
  azureDisk AzureDiskVolumeSource
  azureFile AzureFileVolumeSource
  cephfs CephFSVolumeSource
  cinder CinderVolumeSource
  configMap ConfigMapVolumeSource
  csi CSIVolumeSource
  downwardAPI DownwardAPIVolumeSource
  emptyDir EmptyDirVolumeSource
  ephemeral EphemeralVolumeSource
  fc FCVolumeSource
  flexVolume FlexVolumeSource
  flocker FlockerVolumeSource
  gcePersistentDisk GCEPersistentDiskVolumeSource
  gitRepo GitRepoVolumeSource
  glusterfs GlusterfsVolumeSource
  hostPath HostPathVolumeSource
  iscsi ISCSIVolumeSource
  name! string
  nfs NFSVolumeSource
  persistentVolumeClaim PersistentVolumeClaimVolumeSource
  photonPersistentDisk PhotonPersistentDiskVolumeSource
  portworxVolume PortworxVolumeSource
  projected ProjectedVolumeSource
  quobyte QuobyteVolumeSource
  rbd RBDVolumeSource
  scaleIO ScaleIOVolumeSource
  secret SecretVolumeSource
  storageos StorageOSVolumeSource
  vsphereVolume VsphereVirtualDiskVolumeSource

AWSElasticBlockStoreVolumeSource
  fsType string
  partition int32
  readOnly bool
  volumeID! string

AzureDiskVolumeSource
  cachingMode string
  diskName! string
  diskURI! string
  fsType string
  kind string
  readOnly bool

AzureFileVolumeSource
  readOnly bool
  secretName! string
  shareName! string

CephFSVolumeSource
  monitors! [string]
  path string
  readOnly bool
  secretFile string
  secretRef LocalObjectReference
  user string

CinderVolumeSource
  fsType string
  readOnly bool
  secretRef LocalObjectReference
  volumeID! string

ConfigMapVolumeSource atomic
  defaultMode int32
  items [KeyToPath]
  name string
  optional bool

KeyToPath
  key! string
  mode int32
  path! string

CSIVolumeSource
  driver! string
  fsType string
  nodePublishSecretRef LocalObjectReference
  readOnly bool
  volumeAttributes {string}

DownwardAPIVolumeSource
  defaultMode int32
  items [DownwardAPIVolumeFile]

DownwardAPIVolumeFile
  fieldRef ObjectFieldSelector
  mode int32
  path! string
  resourceFieldRef ResourceFieldSelector

EmptyDirVolumeSource
  medium string
  sizeLimit quantity

EphemeralVolumeSource
  volumeClaimTemplate PersistentVolumeClaimTemplate

FCVolumeSource
  fsType string
  lun int32
  readOnly bool
  targetWWNs [string]
  wwids [string]

FlexVolumeSource
  driver! string
  fsType string
  options {string}
  readOnly bool
  secretRef LocalObjectReference

FlockerVolumeSource
  datasetName string
  datasetUUID string

GCEPersistentDiskVolumeSource
  fsType string
  partition int32
  pdName! string
  readOnly bool

GitRepoVolumeSource
  directory string
  repository! string
  revision string

GlusterfsVolumeSource
  endpoints! string
  path! string
  readOnly bool

HostPathVolumeSource
  path! string
  type string

ISCSIVolumeSource
  chapAuthDiscovery bool
  chapAuthSession bool
  fsType string
  initiatorName string
  iqn! string
  iscsiInterface string
  lun! int32
  portals [string]
  readOnly bool
  secretRef LocalObjectReference
  targetPortal! string

NFSVolumeSource
  path! string
  readOnly bool
  server! string

PersistentVolumeClaimVolumeSource
  claimName! string
  readOnly bool

PhotonPersistentDiskVolumeSource
  fsType string
  pdID! string

PortworxVolumeSource
  fsType string
  readOnly bool
  volumeID! string

ProjectedVolumeSource
  defaultMode int32
  sources [VolumeProjection]

VolumeProjection
  clusterTrustBundle ClusterTrustBundleProjection
  configMap OptionalItems
  downwardAPI DownwardAPIProjection
  secret OptionalItems
  serviceAccountToken ServiceAccountTokenProjection

ClusterTrustBundleProjection
  labelSelector LabelSelector
  name string
  optional bool
  path! string
  signerName string

OptionalItems atomic
  items [KeyToPath]
  name string
  optional bool

DownwardAPIProjection
  items [DownwardAPIVolumeFile]

ServiceAccountTokenProjection
  audience string
  expirationSeconds int64
  path! string

QuobyteVolumeSource
  group string
  readOnly bool
  registry! string
  tenant string
  user string
  volume! string

RBDVolumeSource
  fsType string
  image! string
  keyring string
  monitors! [string]
  pool string
  readOnly bool
  secretRef LocalObjectReference
  user string

ScaleIOVolumeSource
  fsType string
  gateway! string
  protectionDomain string
  readOnly bool
  secretRef! LocalObjectReference
  sslEnabled bool
  storageMode string
  storagePool string
  system! string
  volumeName string

SecretVolumeSource
  defaultMode int32
  items [KeyToPath]
  optional bool
  secretName string

StorageOSVolumeSource
  fsType string
  readOnly bool
  secretRef LocalObjectReference
  volumeName string
  volumeNamespace string

VsphereVirtualDiskVolumeSource
  fsType string
  storagePolicyID string
  storagePolicyName string
  volumePath! string

PersistentVolumeClaimTemplate       # A claim made for each pod
  metadata EmbeddedMetadata
  spec! PersistentVolumeClaimSpec

EmbeddedMetadata                    # Names, labels and annotations of an embedded object
  annotations {string}
  finalizers [string]
  labels {string}
  name string
  namespace string

PersistentVolumeClaimSpec           # What a claim asks for
  accessModes [string]              # ReadWriteOnce and others
  dataSource TypedLocalObjectReference
  dataSourceRef TypedObjectReference
  resources VolumeResourceRequirements # Size
  selector LabelSelector
  storageClassName string           # Kind of storage
  volumeAttributesClassName string
  volumeMode string
  volumeName string

TypedLocalObjectReference atomic
  apiGroup string
  kind! string
  name! string

TypedObjectReference
  apiGroup string
  kind! string
  name! string
  namespace string

VolumeResourceRequirements
  limits {quantity}
  requests {quantity}
"""
