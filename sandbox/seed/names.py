"""Names of companies, people, streets and places: invented, plausible, some of them odd."""

from __future__ import annotations

FOUNDERS = (
    "Abbott Alvarez Ashford Bergström Blackwood Brennan Calloway Castellano Chaudhry Cole Dimitrov Drummond Ellery "
    "Falk Fitzgerald Fontaine Gallagher Grimaldi Haddad Hartmann Holloway Ibarra Jansen Kavanagh Kowalski Lindqvist "
    "Lockhart Marchetti McAllister Mercer Nakamura Norwood Okafor Osborne Pemberton Petrov Quigley Ramires Redmond "
    "Sandoval Schneider Sinclair Thackeray Ulrich Vance Vanderberg Whitaker Winslow Yamada Zielinski"
).split()
PLACES = (
    "Lakeside Riverbend Harbor Summit Cedar Maple Northgate Westfield Bayview Ironbridge Granite Silverton Oakridge "
    "Redwood Clearwater Eastport Fairmont Greenfield Highland Kingsway Millbrook Pinecrest Stonehill Sunridge Thornbury"
).split()
TRADES = [
    ("Dental", "Healthcare"),
    ("Family Medicine", "Healthcare"),
    ("Veterinary Clinic", "Healthcare"),
    ("Law Group", "Legal"),
    ("Solicitors", "Legal"),
    ("Precision Tools", "Manufacturing"),
    ("Packaging", "Manufacturing"),
    ("Foods", "Manufacturing"),
    ("Hardware", "Retail"),
    ("Outfitters", "Retail"),
    ("Garden Centre", "Retail"),
    ("Community Trust", "Non-profit"),
    ("Food Bank", "Non-profit"),
    ("Architects", "Professional services"),
    ("Accounting", "Professional services"),
    ("Logistics", "Professional services"),
    ("Surveyors", "Professional services"),
    ("Property Management", "Professional services"),
]
SUFFIXES = ["", "", "", " Ltd.", " Inc.", " LLC", " & Sons", " Group", " Partners", " Co."]
ODD = [
    "O'Hara & Søns — Bäckerei GmbH",
    'The "Best" Coffee, Tea & More; Ltd.',
    "株式会社みらいテック",
    "=SUM(A1:A9) Analytics",
    "The Honourable Society of Independent Marine Surveyors, Loss Adjusters and Average Adjusters of Bristol",
    "مكتب النور للاستشارات",
    "<b>Bold</b> Signs & Print",
    "  Trailing Space Traders ",
    "Ñandú Café 🥐 S.L.",
    "-1 Basement Studios",
]
VENDORS = ["Northline Distribution", "Cloudspan Licensing", "Parcelwave Couriers", "Voltic Power Systems"]
FIRST = (
    "Alice Amir Anna Ben Carla Chen Daniel Elena Femi Grace Hannah Ivan Jade Kenji Laura Mateo Nadia Oscar Priya "
    "Quentin Rosa Samir Tara Umar Vera Wendy Xavier Yusuf Zoe Ingrid Tomasz Leila"
).split()
STREETS = ["Mill Lane", "High Street", "Station Road", "5th Avenue", "Harbour Way", "Oak Drive", "Commerce Park"]
CITIES = [
    ("New York", "NY", "10016"),
    ("Albany", "NY", "12207"),
    ("San Diego", "CA", "92101"),
    ("Oakland", "CA", "94607"),
    ("Leeds", "West Yorkshire", "LS1 4DY"),
    ("Bristol", "", "BS1 5TR"),
    ("Utrecht", "", "3511 AB"),
    ("Toronto", "ON", "M5V 2T6"),
    ("Osaka", "", "530-0001"),
    ("Portland", "OR", "97204"),
]
TITLES = ["Office Manager", "Finance Director", "Accounts Payable", "Owner", "Operations Lead", "IT Coordinator"]
