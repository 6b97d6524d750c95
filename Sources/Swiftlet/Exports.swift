@_exported public import struct SwiftletCheckpoints.CheckpointError
@_exported public import enum SwiftletGeneration.AnswerPart
@_exported public import struct SwiftletGeneration.ChatPrompt
// Apps that import Swiftlet name these types in their own code, or meet them in what it throws and takes.
@_exported public import class SwiftletGeneration.Engine
@_exported public import enum SwiftletGeneration.ExpertPlacement
@_exported public import enum SwiftletGeneration.FinishReason
@_exported public import enum SwiftletGeneration.GenerationError
@_exported public import enum SwiftletGeneration.GenerationEvent
@_exported public import struct SwiftletGeneration.GenerationOptions
@_exported public import struct SwiftletGeneration.GenerationRequest
@_exported public import struct SwiftletGeneration.GenerationStream
@_exported public import struct SwiftletGeneration.GenerationSummary
@_exported public import struct SwiftletGeneration.LoadedModel
@_exported public import enum SwiftletGeneration.MemoryError
@_exported public import struct SwiftletGeneration.MemoryLimits
@_exported public import enum SwiftletJSON.JSONValue
@_exported public import struct SwiftletModels.PackedWeightCache
