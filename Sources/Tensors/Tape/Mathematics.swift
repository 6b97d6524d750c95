internal import Foundation

/// The natural logarithm, rounded once.
func naturalLogarithm(_ x: Float) -> Float { Float(log(Double(x))) }

func exponential(_ x: Float) -> Float { exp(x) }

func naturalLogarithm(_ x: Double) -> Double { log(x) }

/// The logarithm of a token's probability, from what the kernel `cross_entropy` gives: one function for all, so that equal logits give
/// equal bits.
/// - Parameters:
///   - margin: the largest logit less the token's.
///   - total: the sum of exp(logit - largest).
public func logProbability(margin: Float, total: Float) -> Double { -(Double(margin) + naturalLogarithm(Double(total))) }

/// By how much a running mean that began at zero is too small after so many steps.
func correction(_ beta: Float, _ step: Int) -> Float { Float(1 - pow(Double(beta), Double(step))) }

/// exp(x) - 1, also of small numbers.
func exponentialLessOne(_ x: Double) -> Double { expm1(x) }
