internal import Foundation

/// The natural logarithm, rounded once.
func naturalLogarithm(_ x: Float) -> Float { Float(log(Double(x))) }

func exponential(_ x: Float) -> Float { exp(x) }

func naturalLogarithm(_ x: Double) -> Double { log(x) }

func exponential(_ x: Double) -> Double { exp(x) }

/// By how much a running mean that began at zero is too small after so many steps.
func correction(_ beta: Float, _ step: Int) -> Float { Float(1 - pow(Double(beta), Double(step))) }
