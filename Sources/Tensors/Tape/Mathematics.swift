internal import Foundation

/// The natural logarithm, rounded once.
func naturalLogarithm(_ x: Float) -> Float { Float(log(Double(x))) }

func exponential(_ x: Float) -> Float { exp(x) }

func naturalLogarithm(_ x: Double) -> Double { log(x) }
