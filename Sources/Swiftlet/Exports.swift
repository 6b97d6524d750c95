@_exported public import enum SwiftletGeneration.FinishReason
// Apps that import Swiftlet name these types in their own code.
@_exported public import struct SwiftletGeneration.GenerationOptions
@_exported public import struct SwiftletGeneration.GenerationSummary
